"""Settings of the django-oauth-toolkit peer: SQLite in WAL mode, no middleware, no logging, nothing to slow it down."""

import os
from pathlib import Path

HOME = Path(os.environ["ROWGATE_BENCH_DJANGO_HOME"])
SECRET_KEY = "only-for-the-benchmark-on-loopback"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "peer_urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"]
MIDDLEWARE: list[str] = []
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(HOME / "django.sqlite3"),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
        },
    }
}
# The shipped PBKDF2 gives about 3 tokens a second; this is the fast hash of the comparison.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
OAUTH2_PROVIDER = {"ACCESS_TOKEN_EXPIRE_SECONDS": 600, "SCOPES": {"read": "read rows"}, "DEFAULT_SCOPES": ["read"]}
LOGGING_CONFIG = None
