"""Who runs the tasks of a stage: processes of this machine, or Ray."""
