"""What it takes to ask one question of several database engines: the queries, the engines, the written cases."""
