"""Reports: single HTML files that need no network, one module a report.

A new report is a module that fills a `Page`, and a command in `cli/report_command.py`.
"""
