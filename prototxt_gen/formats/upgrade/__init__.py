"""What Caffe makes of the older forms of a file when it reads one."""
