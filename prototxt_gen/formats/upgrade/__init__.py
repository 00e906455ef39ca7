"""What Caffe makes of older forms of a file when it reads one."""
