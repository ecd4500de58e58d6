"""`evertune up`: all processes of a project, supervised, on one machine."""
