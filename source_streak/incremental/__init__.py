"""What a stream remembers from sync to sync. Pure: no framework, no I/O, no clock."""
