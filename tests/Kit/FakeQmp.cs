using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Vks.Runtime.Host;
using Vks.Runtime.Qmp;

namespace Vks.Tests.Kit;

/// <summary>A scripted QMP server on a real unix socket, for answers that QEMU gives rarely. The script talks through <see cref="Peer"/>.</summary>
internal sealed class FakeQmp : IAsyncDisposable
{
    private const string Greeting = """{"QMP":{"version":{"qemu":{"micro":22,"minor":2,"major":7},"package":"x"},"capabilities":["oob"]}}""";

    private readonly string _folder = Directory.CreateTempSubdirectory("vks-test-qmp-").FullName;
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Task _serving;

    private FakeQmp(Func<Peer, Task> script)
    {
        _listener.Bind(new UnixDomainSocketEndPoint(Path));
        _listener.Listen();
        _serving = ServeAsync(script);
    }

    public string Path => System.IO.Path.Combine(_folder, "qmp.sock");

    /// <summary>Starts a server that runs the script for its one client and then closes the connection.</summary>
    public static FakeQmp Start(Func<Peer, Task> script) => new(script);

    /// <summary>Starts a server that greets, answers qmp_capabilities, and then runs the script.</summary>
    public static FakeQmp StartReady(Func<Peer, Task> script) => new(async peer =>
    {
        await peer.SendAsync(Greeting + "\r\n");
        await peer.ReplyAsync(await peer.ReadAsync());
        await script(peer);
    });

    /// <summary>Connects a client.</summary>
    public async Task<QmpClient> ConnectAsync(CancellationToken cancellationToken, TimeProvider? time = null)
    {
        Socket socket = await UnixSocket.ConnectAsync(Path, cancellationToken);
        QmpTransport transport = new(new NetworkStream(socket, ownsSocket: true), (bytes, file, token) => FdPassing.SendAsync(socket, bytes, file, token));
        return await QmpClient.ConnectAsync(transport, time ?? TimeProvider.System, cancellationToken).WaitAsync(TimeSpan.FromSeconds(10), cancellationToken);
    }

    /// <summary>Ends the server and reports a script that failed.</summary>
    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        try
        {
            await _serving.WaitAsync(TimeSpan.FromSeconds(10));
        }
        catch (Exception gone) when (gone is SocketException or IOException or ObjectDisposedException)
        {
            // The client left in the middle of the script, or never came.
        }

        Directory.Delete(_folder, recursive: true);
    }

    private async Task ServeAsync(Func<Peer, Task> script)
    {
        using Socket client = await _listener.AcceptAsync();
        await using NetworkStream stream = new(client);
        using StreamReader reader = new(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        await script(new Peer(stream, reader));
    }

    /// <summary>The script's side of the connection.</summary>
    internal sealed class Peer(NetworkStream stream, StreamReader reader)
    {
        /// <summary>The next command.</summary>
        public async Task<JsonElement> ReadAsync() =>
            JsonDocument.Parse(await reader.ReadLineAsync() ?? throw new IOException("The client left.")).RootElement;

        /// <summary>Waits until the client leaves.</summary>
        public async Task WaitForEndAsync()
        {
            while (await reader.ReadLineAsync() is not null)
            {
            }
        }

        /// <summary>Answers a command.</summary>
        public Task ReplyAsync(JsonElement command, string result = "{}") =>
            SendAsync($$"""{"return": {{result}}, "id": {{command.GetProperty("id")}}}""" + "\r\n");

        /// <summary>Refuses a command.</summary>
        public Task RefuseAsync(JsonElement command, string errorClass, string description) =>
            SendAsync($$$"""{"id": {{{command.GetProperty("id")}}}, "error": {"class": "{{{errorClass}}}", "desc": "{{{description}}}"}}""" + "\r\n");

        /// <summary>Sends an event.</summary>
        public Task TellAsync(string name, string data = "{}") =>
            SendAsync($$$"""{"timestamp": {"seconds": 1700000000, "microseconds": 5}, "event": "{{{name}}}", "data": {{{data}}}}""" + "\r\n");

        /// <summary>Sends text as it is.</summary>
        public Task SendAsync(string text) => stream.WriteAsync(Encoding.UTF8.GetBytes(text)).AsTask();
    }
}
