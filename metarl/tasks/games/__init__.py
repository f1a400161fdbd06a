"""Video games: Atari, CoinRun, stable-retro."""
