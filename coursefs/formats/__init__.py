"""What the platforms give, in the formats of other programs: calendars, Markdown, subtitles, media centres (pure)."""
