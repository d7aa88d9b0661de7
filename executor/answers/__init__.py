"""What an answer is: extraction from a response, equality, votes."""
