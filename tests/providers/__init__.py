"""Who is asked, where, and with which credentials."""
