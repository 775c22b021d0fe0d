"""`python -m analyzer` is `mailhealth`."""

from analyzer.cli import main

if __name__ == "__main__":  # processes that Python starts for a pool read this file too
    main()
