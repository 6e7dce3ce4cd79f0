"""Makes the django-oauth-toolkit peer's database anew with one confidential client; run once before it is served."""

import django
from django.core.management import call_command

django.setup()

from oauth2_provider.models import Application  # noqa: E402 - models exist only after django.setup()

call_command("migrate", verbosity=0)
Application.objects.get_or_create(
    client_id="bench",
    defaults={
        "name": "bench",
        "client_type": Application.CLIENT_CONFIDENTIAL,
        "authorization_grant_type": Application.GRANT_CLIENT_CREDENTIALS,
        "client_secret": "bench-secret-of-forty-three-characters-----",
    },
)
