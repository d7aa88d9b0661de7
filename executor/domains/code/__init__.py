"""Code: an answer is a program, and it is right if it passes the tests of its problem."""
