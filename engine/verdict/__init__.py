"""What people see of a comparison of two sets of rules: one line, text, Markdown, a page with charts."""
