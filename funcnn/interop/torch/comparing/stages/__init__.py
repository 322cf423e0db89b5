"""What is compared, a stage a file: each gives its verdict, and where the port parts if it does."""
