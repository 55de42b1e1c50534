"""The application for any WSGI server: such as `gunicorn wsgi:application`."""

from open311.app import create_app
from open311.settings import Settings

application = create_app(Settings.from_environ())
