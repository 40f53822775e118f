"""`python -m tfadrec`."""

from tfadrec.cli import main

main()
