using System.Globalization;

namespace KpiControl.Control.Hosting;

/// <summary>The longest time of a call that is no stream: one without an end would hold a connection of the database for as long.</summary>
internal static class CallDeadline
{
    private static readonly object Passed = new();

    /// <summary>What a call by gRPC has in <c>grpc-timeout</c>: the caller's where it is shorter.</summary>
    /// <param name="asked">One to eight digits and a unit.</param>
    public static string Timeout(string? asked, TimeSpan longest) =>
        asked is not null && Parse(asked) <= longest ? asked : string.Create(CultureInfo.InvariantCulture, $"{(long)longest.TotalMilliseconds}m");

    /// <summary>Whether the time that a caller gives is over at once: to Grpc.AspNetCore that is no deadline at all.</summary>
    /// <param name="asked">One to eight digits and a unit.</param>
    public static bool IsNoTime(string asked) => Parse(asked) == TimeSpan.Zero;

    /// <summary>A call by REST, which has no deadline of its own.</summary>
    public static async Task RunAsync(HttpContext context, TimeSpan longest, Func<Task> call)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        var client = context.RequestAborted;
        using var mark = end.Token.Register(() => context.Items[Passed] = !client.IsCancellationRequested);
        end.CancelAfter(longest);
        context.RequestAborted = end.Token;
        await call();
        context.RequestAborted = client;
    }

    /// <summary>Whether it was the time that ended the call, and not the caller.</summary>
    public static bool HasPassed(HttpContext context) => context.Items.TryGetValue(Passed, out var passed) && passed is true;

    private static TimeSpan Parse(string timeout)
    {
        var number = long.Parse(timeout.AsSpan()[..^1], CultureInfo.InvariantCulture);
        return timeout[^1] switch
        {
            'H' => TimeSpan.FromHours(number),
            'M' => TimeSpan.FromMinutes(number),
            'S' => TimeSpan.FromSeconds(number),
            'm' => TimeSpan.FromMilliseconds(number),
            'u' => TimeSpan.FromMicroseconds(number),
            _ => TimeSpan.FromMicroseconds(number / 1000),
        };
    }
}
