"""Who runs next: lanes, fairness, deadlines, speeds; decides, never computes."""
