"""What other versions of the program wrote, and what they make of what this one writes."""
