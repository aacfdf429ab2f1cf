namespace KpiControl.EndToEnd.Tests;

/// <summary>What a test waits for is a process's doing, which nothing here can signal: it asks, with a limit, and says what it saw.</summary>
internal static class Patience
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <param name="processes">Must not end meanwhile; their output stands in the failure.</param>
    public static async Task UntilAsync(string what, Func<Task<bool>> holds, params ShippedProcess[] processes)
    {
        using var limit = new CancellationTokenSource(Limit);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        try
        {
            while (!await holds())
            {
                Assert.DoesNotContain(processes, p => p.HasExited);
                await tick.WaitForNextTickAsync(limit.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or Xunit.Sdk.DoesNotContainException)
        {
            Assert.Fail($"Not within {Limit}: {what}.\n{string.Join("\n---\n", processes.Select(p => p.Output))}");
        }
    }
}
