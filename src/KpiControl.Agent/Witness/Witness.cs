using System.Diagnostics.Metrics;
using Grpc.Core;
using KpiControl.Agent.ControlPlane;
using KpiControl.Agent.Outbox;
using KpiControl.Agent.Secrets;
using KpiControl.Agent.Telemetry;
using KpiControl.Protocol.V1;
using Microsoft.Extensions.Options;

namespace KpiControl.Agent.Witness;

/// <summary>Remembers what was signed of the tenants' audit chains, and says loudly when a chain no longer goes through it. Stops no work: what ran, ran.</summary>
internal sealed partial class Witness : BackgroundService
{
    private static readonly TimeSpan CallWithin = TimeSpan.FromSeconds(30);

    private readonly ControlDoor door;
    private readonly CertificateKeeper certificates;
    private readonly SecretsInHand secrets;
    private readonly WitnessOptions options;
    private readonly OutboxOptions outbox;
    private readonly TimeProvider time;
    private readonly ILogger<Witness> log;
    private int broken;

    public Witness(ControlDoor door, CertificateKeeper certificates, SecretsInHand secrets, IOptions<WitnessOptions> options, IOptions<OutboxOptions> outbox, TimeProvider time, IMeterFactory meters, ILogger<Witness> log)
    {
        (this.door, this.certificates, this.secrets, this.options, this.outbox, this.time, this.log) = (door, certificates, secrets, options.Value, outbox.Value, time, log);
        meters.Create(AttemptTelemetry.Name).CreateObservableGauge("kpicontrol.agent.history.broken", () => Volatile.Read(ref broken), "{tenant}", "Tenants whose audit chain does not go through what this agent remembers");
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (door.Options.Enrols)
            await certificates.Enrolled.WaitAsync(stoppingToken);
        var kept = new KeptCheckpoints(Path.Combine(outbox.Directory, "checkpoints.ndjson"));
        while (!stoppingToken.IsCancellationRequested)
        {
            await TryAsync(kept, stoppingToken);
            // Agents that were started together do not ask together.
            await Task.Delay(options.Every * (0.9 + (0.2 * Random.Shared.NextDouble())), time, stoppingToken);
        }
    }

    private async Task TryAsync(KeptCheckpoints kept, CancellationToken token)
    {
        try
        {
            if (await AskAsync(kept, token) is { } answer)
                Take(kept, answer);
        }
        // Whether the control plane is there the stream's own log says; one of before knows no witnesses.
        catch (RpcException e) when (!token.IsCancellationRequested)
        {
            Log.NotAsked(log, door.Address, e.StatusCode);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException)
        {
            Log.NotKept(log, e.Message);
        }
    }

    private async Task<ExchangeResponse?> AskAsync(KeptCheckpoints kept, CancellationToken token)
    {
        var bearer = door.Options.HasToken ? BearerToken.Read(door.Options.Token).Token : null;
        var certificate = door.Options.HasToken ? null : (await certificates.ReadyAsync(token)).Certificate;
        if (certificate is null && bearer is null)
            return null;
        using var hold = bearer is null ? null : secrets.Hold(bearer);
        using var channel = door.Channel(door.Address, certificate);
        var headers = bearer is null ? [] : new Metadata { { "authorization", "Bearer " + bearer } };
        return await new WitnessService.WitnessServiceClient(channel).ExchangeAsync(new ExchangeRequest { Remembered = { kept.Latest } }, new CallOptions(headers, time.GetUtcNow().Add(CallWithin).UtcDateTime, token));
    }

    private void Take(KeptCheckpoints kept, ExchangeResponse answer)
    {
        var contradicted = answer.Broken.ToDictionary(tenant => tenant, _ => "it does not go through what is remembered", StringComparer.Ordinal);
        foreach (var told in answer.Latest)
            if (kept.Contradicts(told) is { } why)
                contradicted[told.Tenant] = why;
        Volatile.Write(ref broken, contradicted.Count);
        foreach (var (tenant, why) in contradicted)
            Log.Broken(log, tenant, why);
        foreach (var told in answer.Latest.Where(told => !contradicted.ContainsKey(told.Tenant)))
            kept.Keep(told);
    }

    private static partial class Log
    {
        [LoggerMessage(1351, LogLevel.Error, "The audit history of {Tenant} was rolled back or written anew: {Why}. What this agent remembers is in checkpoints.ndjson of its outbox: kpictl audit verify EXPORT --kept")]
        public static partial void Broken(ILogger log, string tenant, string why);

        [LoggerMessage(1352, LogLevel.Debug, "What was signed of audit chains was not asked at {Address}: {Status}")]
        public static partial void NotAsked(ILogger log, string address, StatusCode status);

        [LoggerMessage(1353, LogLevel.Warning, "What was signed of audit chains cannot be kept: {Problem}")]
        public static partial void NotKept(ILogger log, string problem);
    }
}
