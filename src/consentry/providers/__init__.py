"""Code for vendors, one folder each, behind the protocol of ``connect.provider``."""
