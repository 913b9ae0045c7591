"""What is to be made when: pure functions on frozen values."""
