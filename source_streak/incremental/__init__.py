"""What a stream remembers from sync to sync. Pure: no framework, no input or output, no clock."""
