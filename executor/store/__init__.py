"""The store: runs, outcomes and artefacts in a database."""
