"""Every setting of the plugin: ``common`` gives names, shapes and defaults; ``production`` keeps what operators set."""
