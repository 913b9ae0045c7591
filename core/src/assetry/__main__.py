"""Make ``python -m assetry`` the same as ``assetry``."""

from assetry.cli import main

if __name__ == "__main__":
    main()
