"""Programs that write stored files, and the mutation test; run by hand."""
