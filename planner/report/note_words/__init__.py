"""The clauses of notes, by what the notes are about."""
