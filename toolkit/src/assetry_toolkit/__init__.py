"""What integrations of assetry share, and its core need not know: one module for each duty.

Importing this package imports nothing; take what you need from its modules, inside the functions that need it::

    from assetry_toolkit.options import TEXT, checked_options
    from assetry_toolkit.commands import Command
    from assetry_toolkit.http import Api, Http
    from assetry_toolkit.jobs import JobRun
"""
