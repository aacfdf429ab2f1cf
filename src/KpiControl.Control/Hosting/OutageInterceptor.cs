using System.Diagnostics;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;
using KpiControl.Control.Database;

namespace KpiControl.Control.Hosting;

/// <summary>Turns what a caller did not cause into a status that says nothing of our insides.</summary>
internal sealed partial class OutageInterceptor(ILogger<OutageInterceptor> logger) : Interceptor
{
    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation) =>
        GuardAsync(() => continuation(request, context), context);

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation) =>
        GuardAsync(async () => { await continuation(request, responseStream, context); return true; }, context);

    public override Task DuplexStreamingServerHandler<TRequest, TResponse>(
        IAsyncStreamReader<TRequest> requestStream, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, DuplexStreamingServerMethod<TRequest, TResponse> continuation) =>
        GuardAsync(async () => { await continuation(requestStream, responseStream, context); return true; }, context);

    private async Task<T> GuardAsync<T>(Func<Task<T>> call, ServerCallContext context)
    {
        try
        {
            return await call();
        }
        catch (RpcException)
        {
            throw;
        }
        catch (InvalidProtocolBufferException)
        {
            throw Reject.Invalid("", "A message of the stream is not one of this method.");
        }
        catch (OperationCanceledException) when (context.CancellationToken.IsCancellationRequested)
        {
            if (CallDeadline.HasPassed(context.GetHttpContext()))
                throw Reject.TooLong();
            throw new RpcException(new Grpc.Core.Status(StatusCode.Cancelled, "The call was cancelled."));
        }
        catch (Exception error) when (SqlStates.IsOutage(error))
        {
            Log.DatabaseAway(logger, context.Method, error);
            throw Reject.Unavailable("The database cannot be reached just now; try again.");
        }
        catch (Exception error)
        {
            var traceId = Activity.Current?.TraceId.ToString() ?? context.GetHttpContext().TraceIdentifier;
            Log.Broke(logger, context.Method, traceId, error);
            throw Reject.Internal(traceId);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 100, Level = LogLevel.Warning, Message = "{Method}: the database is away")]
        public static partial void DatabaseAway(ILogger logger, string method, Exception error);

        [LoggerMessage(EventId = 101, Level = LogLevel.Error, Message = "{Method} failed, trace {TraceId}")]
        public static partial void Broke(ILogger logger, string method, string traceId, Exception error);
    }
}
