"""What is compared: each arm is a small class that recommends from the state before a day."""
