"""One function per use of the service; its text is the order of the steps."""
