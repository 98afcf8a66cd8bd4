"""The planner: decides what may be wished for, and plans what is still to do. Talks to the bus only."""
