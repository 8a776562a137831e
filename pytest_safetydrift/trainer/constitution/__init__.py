"""Constitutional AI: a teacher criticises and revises answers by written principles, and compares them by these."""
