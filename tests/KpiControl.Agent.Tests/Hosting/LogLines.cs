using System.Collections.Concurrent;
using KpiControl.Agent.Tests.Leasing;
using Microsoft.Extensions.Logging;

namespace KpiControl.Agent.Tests.Hosting;

/// <summary>What a process or an agent logged, line by line, to be awaited.</summary>
internal sealed class LogLines : ILoggerProvider, ILogger
{
    private readonly ConcurrentQueue<string> lines = new();
    private readonly SemaphoreSlim added = new(0);

    public string Text => string.Join('\n', lines);
    public IEnumerable<string> All => lines;

    public void Add(string line)
    {
        lines.Enqueue(line);
        added.Release();
    }

    public async Task<string> WaitForAsync(string part)
    {
        var limit = Patience.Token(); // of the whole wait: a process that goes on talking is none that said it
        while (true)
        {
            if (lines.FirstOrDefault(l => l.Contains(part, StringComparison.Ordinal)) is { } found)
                return found;
            try
            {
                await added.WaitAsync(limit);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"'{part}' was never logged:\n{Text}");
            }
        }
    }

    public ILogger CreateLogger(string categoryName) => this;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Add($"{logLevel}: {formatter(state, exception)} {exception?.Message}");

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public void Dispose() { }
}
