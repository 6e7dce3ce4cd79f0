"""The routes of the django-oauth-toolkit peer: its token endpoint, and one that says it is up."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from oauth2_provider.views import TokenView


def ready(_request: HttpRequest) -> HttpResponse:
    return HttpResponse()


urlpatterns = [path("token", TokenView.as_view()), path("ready", ready)]
