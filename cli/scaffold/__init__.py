"""What `evertune init` copies: a project that works as it is."""
