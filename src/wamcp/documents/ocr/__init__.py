"""Reading pictures: opened safely, turned upright, read by one of two readers, put into lines. Runs in the child."""
