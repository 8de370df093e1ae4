package cmd

// Main is the command line of a program.
func Main(app App) {}
