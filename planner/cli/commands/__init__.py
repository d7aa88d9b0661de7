"""The commands, one module each; each has `run(arguments, output)`."""
