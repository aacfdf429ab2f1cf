using KpiControl.Agent.Connections;

namespace KpiControl.Agent.Secrets.Stores;

/// <summary>Calls the addresses that the settings name and no other, and reads no more than a secret has.</summary>
internal sealed class StoreClient : DelegatingHandler
{
    private const long MostBytes = 1024 * 1024;
    private readonly HashSet<string> allowed;

    private StoreClient(IEnumerable<Uri> allowed, HttpMessageHandler sockets) : base(sockets) =>
        this.allowed = [.. allowed.Select(Origin)];

    /// <param name="caFile">PEM of the authorities that are trusted; empty: the system's.</param>
    /// <param name="allowed">By scheme, host and port.</param>
    public static HttpClient Make(string caFile, params IEnumerable<Uri> allowed) =>
        // The time is the cache's to bound: one bound for a secret, however many calls it takes.
        new(new StoreClient(allowed, GuardedSockets.Make(TimeSpan.FromSeconds(10), caFile))) { Timeout = Timeout.InfiniteTimeSpan };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (request.RequestUri is not { } target || !allowed.Contains(Origin(target)))
            throw new HttpRequestException(HttpRequestError.InvalidResponse, "refused", new AddressRefusedException("an address that is not in the settings"));
        var response = await base.SendAsync(request, cancellationToken);
        await response.Content.LoadIntoBufferAsync(MostBytes, cancellationToken);
        return response;
    }

    private static string Origin(Uri address) => address.GetLeftPart(UriPartial.Authority);
}
