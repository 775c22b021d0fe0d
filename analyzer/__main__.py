"""`python -m analyzer` is `mailhealth`."""

from analyzer.cli import main

main()
