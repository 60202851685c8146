"""The WSGI application that ``consentry web`` serves."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from consentry.core import boot

boot.setup()
application = get_wsgi_application()
