"""What a Meltano project defines: its files, its plugins, their streams, and the tables these are loaded into."""
