"""Settings chosen by replay of the user's own log, on a span before the days they are judged on."""
