"""What the plugin adds to the platform's own pages, through Open edX filters."""
