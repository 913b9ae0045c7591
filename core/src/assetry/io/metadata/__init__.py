"""What is told of values: links, texts, rows and pictures, as functions give it and as it is kept."""
