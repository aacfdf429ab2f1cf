namespace KpiControl.Control.Database;

/// <summary>What keeps the process from starting, in a sentence for the operator.</summary>
internal sealed class StartupException(string message, Exception? inner = null) : Exception(message, inner);
