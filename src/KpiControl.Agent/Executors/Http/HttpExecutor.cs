using System.Net;
using System.Net.Http.Headers;
using System.Text;
using KpiControl.Agent.Connections;
using KpiControl.Agent.Secrets;
using KpiControl.Jobs.Calls;
using KpiControl.Jobs.Runs;

namespace KpiControl.Agent.Executors.Http;

/// <summary>Makes the KPI Call of a KPI service, which computes and publishes by itself.</summary>
internal sealed class HttpExecutor(Connection connection, SecretSources secrets, TimeProvider time) : IExecutor, IAsyncDisposable
{
    private readonly HttpClient client = KpiServiceClient.Make(connection, time);
    private readonly Uri address = new(connection.Endpoint.TrimEnd('/') + "/calls/execute");

    public async Task<Outcome> ExecuteAsync(LeasedCall lease, CancellationToken gentle, CancellationToken force)
    {
        using var held = new AttemptSecrets(secrets);
        var record = new AttemptRecord("http", held, time) { ReportPoints = connection.ReportPoints };
        return await AttemptDeadline.RunAsync(lease, record, time, token => AttemptAsync(lease, record, token), gentle, force).WaitAsync(force);
    }

    public ValueTask DisposeAsync()
    {
        client.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<Outcome> AttemptAsync(LeasedCall lease, AttemptRecord record, CancellationToken token)
    {
        if (KpiCallRequest.Read(lease.Lease.CallJson) is not { } call)
            return record.Failed(Failure.Mismatch("the KPI Call does not have the shape that this agent knows"));
        if (LeasedContract.Read(lease.ContractJson, out var problem) is not { } contract)
            return record.Failed(Failure.Mismatch(problem));
        record.Contract = contract;
        // Control leases no other stages to this connection; one that did all the same must not be told that they ran.
        if (lease.Lease.Stages.Count > 0)
            return record.Failed(Failure.Mismatch("a KPI service executes the stage kpi alone"));
        var bearer = connection.Credential is { } reference ? await record.Secrets.ResolveAsync(reference, token) : SecretLookup.Missing("");
        if (bearer is { Value: null, Problem.Length: > 0 })
            return record.Failed(Failure.NoSecret(connection.ConnId, bearer));
        try
        {
            using var response = await SendAsync(lease, bearer.Value, record, token);
            if (await ReadBoundedAsync(response, token) is not { } body)
                return record.Failed(Failure.Mismatch($"the KPI service's answer is larger than {connection.MaxResponseBytes} bytes"));
            var failure = response.IsSuccessStatusCode ? KpiAnswer.Read(body, call, contract, record) : KpiServiceErrors.Of(response, body, record.Secrets.Redact, time);
            return failure is null ? record.Ended(record.Warnings.Count == 0 ? RunStatus.Success : RunStatus.Partial) : record.Failed(failure);
        }
        // An answer that is cut off in its body is an IOException.
        catch (Exception error) when (error is HttpRequestException or IOException && !token.IsCancellationRequested)
        {
            return record.Failed(KpiServiceErrors.OfTransport(error));
        }
    }

    private async Task<HttpResponseMessage> SendAsync(LeasedCall lease, string? bearer, AttemptRecord record, CancellationToken token)
    {
        var response = await SendOnceAsync(lease, bearer, token);
        // A token that was rotated a moment ago is not the attempt's end.
        if (response.StatusCode != HttpStatusCode.Unauthorized || bearer is null || await record.Secrets.RenewAsync(connection.Credential!, bearer, token) is not { } renewed)
            return response;
        response.Dispose();
        return await SendOnceAsync(lease, renewed, token);
    }

    private async Task<HttpResponseMessage> SendOnceAsync(LeasedCall lease, string? bearer, CancellationToken token)
    {
        using var request = Request(lease, bearer);
        return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token);
    }

    private HttpRequestMessage Request(LeasedCall lease, string? bearer)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = new StringContent(lease.Lease.CallJson, Encoding.UTF8, "application/json") };
        if (bearer is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", bearer);
        request.Headers.Add("X-Tenant-Id", lease.Lease.Tenant);
        request.Headers.Add("X-Idempotency-Key", $"{lease.Lease.BindingId}/{lease.Lease.SlotKey}");
        request.Headers.Add("X-Fence", FormattableString.Invariant($"{lease.Lease.Fence.Epoch}.{lease.Lease.Fence.Number}"));
        return request;
    }

    // Null: it never stops, or is larger than anybody asked for.
    private async Task<byte[]?> ReadBoundedAsync(HttpResponseMessage response, CancellationToken token)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(token);
        using var body = new MemoryStream();
        var buffer = new byte[64 * 1024];
        for (int read; (read = await stream.ReadAsync(buffer, token)) > 0;)
        {
            if (body.Length + read > connection.MaxResponseBytes)
                return null;
            body.Write(buffer, 0, read);
        }
        return body.ToArray();
    }
}
